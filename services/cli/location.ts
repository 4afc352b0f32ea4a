/**
 * Where the fleet's NATS is: from the command line, the environment, or the
 * nearest client.yaml. The first that says so decides alone, so that one
 * fleet's password never goes to another's server.
 */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { readConfigOrigins, type SettingRow } from "../config/config-origins.ts";
import { loadConfig } from "../config/load-config.ts";
import type { Environment } from "../process/environment.ts";
import { EXIT, PlainError } from "../process/exit.ts";
import { NATS_VARIABLES, natsConfig, type NatsConfig } from "../nats/nats-config.ts";
import { parseNatsUrls, withoutLogin } from "../nats/url.ts";
import { quote } from "./visible.ts";

/** client.yaml. */
export const clientConfig = z.strictObject({ nats: natsConfig });

/** NATS_URL itself is seen to here: where it is set, no file is read. */
const LOGIN_VARIABLES = Object.fromEntries(
  Object.entries(NATS_VARIABLES).filter(([, setting]) => setting !== "nats.url"),
);

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
  const file = given === undefined ? findFile(surroundings) : undefined;
  const { nats } = await loadConfig(clientConfig, file, environment, LOGIN_VARIABLES);
  const named = flag === undefined ? "NATS_URL" : "--nats";
  const origin = given === undefined ? (file ?? "default") : named;
  return { nats: given === undefined ? nats : { ...nats, url: checkUrl(given, named) }, origin };
}

/** Every setting of this program, and where it comes from. */
export async function settingOrigins(
  flag: string | undefined,
  surroundings: Surroundings,
): Promise<SettingRow[]> {
  const { environment } = surroundings;
  const given = flag ?? (environment["NATS_URL"] || undefined);
  const file = given === undefined ? findFile(surroundings) : undefined;
  const rows = await readConfigOrigins(clientConfig, file, environment, LOGIN_VARIABLES);
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
