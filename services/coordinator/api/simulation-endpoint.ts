/** What a jail with other numbers would have done. */
import { jailNamed, type ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";

export function simulationEndpoint(context: ApiContext): Pick<Endpoints, "simulation.show"> {
  return {
    "simulation.show"({ jail }) {
      const { name } = jailNamed(context, jail);
      throw new ApiError(503, `${name}: this coordinator cannot simulate yet`);
    },
  };
}
