/** A coordinator with a web page, on a NATS server without credentials, and without PostgreSQL. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { programArguments } from "./fleetban.ts";
import { restartable, type Restartable } from "./restartable.ts";

export interface WebPage extends Restartable, AsyncDisposable {
  port: number;
  /** Its coordinator.yaml. */
  config: string;
  /** Writes another `web` section into that file. */
  configure(web: object): Promise<void>;
}

/** `web`: of coordinator.yaml; with `listen` only where it is not a free port of loopback. */
export async function startWebPage(natsUrl: string, folder: string, web: object): Promise<WebPage> {
  const port = await freePort();
  const config = join(folder, `${port}.yaml`);
  const options = {
    id: `c${port}`,
    nats: { url: natsUrl },
    http: { listen: `127.0.0.1:${await freePort()}` },
    database: { url: "postgresql://nobody@127.0.0.1:1/none" },
  };
  async function configure(section: object): Promise<void> {
    const text = JSON.stringify({ ...options, web: { listen: `127.0.0.1:${port}`, ...section } });
    await writeFile(config, text, { mode: 0o600 });
  }
  await configure(web);
  const args = [...programArguments("coordinator"), "run", "--config", config];
  const env = { PATH: process.env["PATH"] };
  const running = await restartable((onOutput) =>
    startChild(process.execPath, { args, env, onOutput }),
  );
  return { ...running, port, config, configure, [Symbol.asyncDispose]: () => running.stop() };
}
