/** Runs inside the clients' namespace: does what a configuration's actions say, each from its own address. */
import { configurations } from "./configurations.ts";
import { actionsOf } from "./truth.ts";
import { openTalk } from "./talk.ts";

const [name, host4 = "", host6 = "", seed, addresses] = process.argv.slice(2);
const chance =
  seed === undefined ? undefined : { seed: Number(seed), addresses: Number(addresses) };
const configuration = configurations(chance).find((each) => each.name === name);
if (!configuration) throw new Error(`there is no configuration ${name}`);
const AT_ONCE = 12;

const todo = actionsOf(configuration);
async function work(): Promise<void> {
  for (let next = todo.shift(); next; next = todo.shift()) {
    const { action, address } = next;
    const place = {
      host: address.includes(":") ? host6 : host4,
      port: action.port,
      from: address,
      isTls: action.isTls ?? false,
    };
    const one = async () => action.run(await openTalk(place));
    await Promise.all(Array.from({ length: action.parallel ?? 1 }, one)).catch((error: unknown) => {
      process.stderr.write(`${action.what}: ${String(error)}\n`);
    });
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
