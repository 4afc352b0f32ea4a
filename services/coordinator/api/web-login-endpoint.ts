/** `fleetban web login`. */
import { verifyIdentity } from "../../nats/identity-proof.ts";
import { LINK_SECONDS, type Person } from "../../web/server/sessions.ts";
import type { Web } from "../../web/server/web.ts";
import type { Request } from "../../wire/api.ts";
import { ApiError, type Endpoints } from "./api-server.ts";

export interface WebLoginOptions {
  /** undefined: this coordinator has no web page. */
  web: Pick<Web, "createLink"> | undefined;
  /** The account that signs the fleet's credentials; undefined: NATS vouches for nobody's name. */
  account: () => string | undefined;
  now: () => number;
}

export function webLoginEndpoint(options: WebLoginOptions): Pick<Endpoints, "web.login"> {
  const { web, account, now } = options;

  function personOf({ proof }: Request<"web.login">, by: string): Person {
    const name = by.slice(by.indexOf(" ") + 1);
    const signer = account();
    if (signer === undefined) return { name, role: "operator", key: null, keyUntil: null };
    if (!proof) throw new ApiError(400, "web login: expected a proof of who asks");
    const identity = verifyIdentity(proof, { account: signer, now: now() });
    if ("fault" in identity) throw new ApiError(403, `web login: ${identity.fault}`);
    if (identity.name === name) return identity;
    throw new ApiError(403, `web login: ${name} asks with the credentials of ${identity.name}`);
  }

  return {
    async "web.login"(request, by) {
      if (!web) {
        const remedy = "web.listen in coordinator.yaml says where it is to be";
        throw new ApiError(409, `no coordinator of this fleet has a web page: ${remedy}`);
      }
      const person = personOf(request, by);
      return { url: await web.createLink(person), seconds: LINK_SECONDS };
    },
  };
}
