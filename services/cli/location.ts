/**
 * Where the fleet's NATS is: from the command line, the environment, or the
 * nearest client.yaml. The first that says so decides alone, so that one
 * fleet's password never goes to another's server.
 */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SettingRow } from "../config/config-origins.ts";
import type { Environment } from "../process/environment.ts";
import { EXIT, PlainError } from "../process/exit.ts";
import type { NatsConfig } from "../nats/nats-config.ts";
import { LOGIN_VARIABLES } from "../nats/nats-variables.ts";
import { parseNatsUrls, withoutLogin } from "../nats/url.ts";
import { quote } from "./visible.ts";

export interface Location {
  nats: NatsConfig;
  /** Where the address comes from: "--nats", "NATS_URL", a file, "default". */
  origin: string;
}

export interface Surroundings {
  environment: Environment;
  /** The current folder. */
  folder: string;
  packageRoot: string;
  home: string;
  /** undefined: there are no owners here. */
  uid: number | undefined;
  note: (text: string) => void;
}

/** Throws a PlainError if the address or credentials that it found cannot be used. */
export async function locateNats(
  flag: string | undefined,
  surroundings: Surroundings,
): Promise<Location> {
  const { environment } = surroundings;
  const given = flag ?? (environment["NATS_URL"] || undefined);
  if (given !== undefined) {
    const origin = flag === undefined ? "NATS_URL" : "--nats";
    return { nats: { url: checkUrl(given, origin), ...loginIn(environment) }, origin };
  }
  const file = findFile(surroundings);
  const { readClientConfig } = await import("./client-config.ts");
  return { nats: await readClientConfig(file, environment), origin: file ?? "default" };
}

/** Beside an address that was given; any text will do, and an empty one is none. */
function loginIn(environment: Environment): Omit<NatsConfig, "url"> {
  const settings = Object.entries(LOGIN_VARIABLES).map(([variable, setting]) => {
    return [setting.slice("nats.".length), environment[variable] || undefined];
  });
  return Object.fromEntries(settings) as Omit<NatsConfig, "url">;
}

/** Every setting of this program, and where it comes from. */
export async function settingOrigins(
  flag: string | undefined,
  surroundings: Surroundings,
): Promise<SettingRow[]> {
  const { environment } = surroundings;
  const given = flag ?? (environment["NATS_URL"] || undefined);
  const file = given === undefined ? findFile(surroundings) : undefined;
  const { clientConfigOrigins } = await import("./client-config.ts");
  const rows = await clientConfigOrigins(file, environment);
  if (given === undefined) return rows;
  const origin = flag === undefined ? "environment: NATS_URL" : "--nats";
  const value = withoutLogin(checkUrl(given, flag === undefined ? "NATS_URL" : "--nats"));
  return rows.map((row) => (row.setting === "nats.url" ? { ...row, value, origin } : row));
}

function findFile(surroundings: Surroundings): string | undefined {
  const { environment, folder, packageRoot, home } = surroundings;
  if (environment["FLEETBAN_HOME"]) {
    const file = join(environment["FLEETBAN_HOME"], "client.yaml");
    if (existsSync(file)) return file;
    const hint = "npm start writes it; is that FLEETBAN_HOME right?";
    throw new PlainError(`${file}: is not there; ${hint}`, EXIT.config);
  }
  const local = [...foldersUpFrom(folder), packageRoot]
    .map((each) => join(each, ".fleetban", "client.yaml"))
    .find((file) => existsSync(file) && isTrusted(file, surroundings));
  const installed = [join(home, ".config/fleetban/client.yaml"), "/etc/fleetban/client.yaml"];
  return local ?? installed.find((file) => existsSync(file));
}

/** In a folder that all may write to, anybody could leave a file that sends us to their server. */
function isTrusted(file: string, { uid, note }: Surroundings): boolean {
  const owner = statSync(file).uid;
  if (uid === undefined || owner === uid || owner === 0) return true;
  note(`${file}: belongs to somebody else, passed over; FLEETBAN_HOME=${dirname(file)} takes it`);
  return false;
}

/** The nearest folder above with a package.json: services/ and dist/services/ lie at different depths. */
export function packageRootOf(folder: string): string {
  return foldersUpFrom(folder).find((each) => existsSync(join(each, "package.json"))) ?? folder;
}

function foldersUpFrom(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...foldersUpFrom(parent)];
}

function checkUrl(text: string, origin: "NATS_URL" | "--nats"): string {
  const urls = parseNatsUrls(text);
  if (urls !== undefined) return urls;
  const expected = "expected a URL such as nats://127.0.0.1:4222";
  const code = origin === "--nats" ? EXIT.usage : EXIT.config;
  throw new PlainError(`${origin}: ${quote(withoutLogin(text))}: ${expected}`, code);
}
