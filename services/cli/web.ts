/** `fleetban web login`: a link that logs its user in to the web page. */
import { Command } from "commander";
import type { Credentials } from "../nats/credentials.ts";
import { proveIdentity } from "../nats/identity-proof.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";

export interface WebContext extends Pick<Context, "ask" | "output" | "now"> {
  /** Those that this program asks with; undefined: it needs none. */
  credentials: () => Promise<Credentials | undefined>;
}

export function webCommand(context: WebContext): Command {
  const { ask, output, now, credentials } = context;
  const login = new Command("login")
    .description("print a link to the web page that logs you in, once, within a minute")
    .option(...JSON_OPTION)
    .addHelpText("after", MORE)
    .action(async ({ json }: JsonOption) => {
      const own = await credentials();
      const reply = await ask("web.login", own ? { proof: proveIdentity(own, now()) } : {});
      if (json) {
        await output.jsonLine(reply);
        return;
      }
      output.line(reply.url);
      output.note(`open it within ${reply.seconds} s; it works once, and for whoever opens it`);
    });
  return new Command("web").description("the web page of the fleet").addCommand(login);
}

const MORE = `
The page knows you by the name and the role of your credentials. Your session ends after some hours
(web.session), when you log out, when your credentials end, and with "fleetban key revoke".

Examples:
  fleetban web login
  xdg-open "$(fleetban web login)"
`;
