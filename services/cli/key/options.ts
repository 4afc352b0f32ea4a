/** Options that the commands of `fleetban key` share. */
import { Option } from "commander";
import { EXIT, PlainError } from "../../process/exit.ts";
import type { JsonOption } from "../context.ts";
import { DEFAULT_FOLDER } from "./key-folder.ts";

export interface FolderOption extends JsonOption {
  dir: string;
}

export const dirOption = (): Option =>
  new Option("--dir <folder>", "the fleet's keys").default(DEFAULT_FOLDER);

export const renewOption = (): Option => new Option("--renew", "make it anew, where there is one");

/** Nothing is overwritten unless that was asked for. */
export function refuseToOverwrite(path: string): never {
  throw new PlainError(`${path}: is there already; --renew makes it anew`, EXIT.refused);
}

const DAY_MS = 86_400_000;
/** A host whose clock is behind by less than this trusts a certificate that was just made. */
export const BACKDATED_MS = DAY_MS;

/** The instant in `seconds` seconds, epoch milliseconds; null: never (Infinity seconds). */
export function endOf(seconds: number, now: number): number | null {
  return seconds === Infinity ? null : now + seconds * 1000;
}
