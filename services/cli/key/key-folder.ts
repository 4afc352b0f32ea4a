/**
 * The folder with a fleet's keys, on its administrator's machine: whoever can read it
 * is the fleet's master. Everything in it is readable by its owner only.
 *
 *   operator.seed operator.jwt    whom the NATS servers trust
 *   system.seed system.jwt        NATS's own account, system.creds to push revocations with
 *   fleet.seed fleet.jwt          the fleet's account; its JWT holds its revocations
 *   hosts.seed hosts.jwt          that of the hosts, likewise
 *   ca.key ca.pem                 who signs the servers' certificates
 *   issued.jsonl                  public keys of all credentials that were ever made
 *   agents/ coordinators/ operators/ servers/
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EXIT, PlainError } from "../../process/exit.ts";
import { explainFileError } from "../../process/file-error.ts";

export const DEFAULT_FOLDER = "fleetban-keys";

export interface KeyFolder {
  readonly path: string;
  has(name: string): boolean;
  /** The absolute path of what has this name in it. */
  at(name: string): string;
  /** Throws a PlainError when it is not there. */
  read(name: string): string;
  /** Writes all of it or nothing; readable by the owner only. */
  write(name: string, text: string): void;
  remove(name: string): void;
}

/** A folder that `fleetban key init` has made. Throws a PlainError when it is none, or not private. */
export function openKeyFolder(path: string): KeyFolder {
  const folder = keyFolderAt(path);
  if (!folder.has("fleet.seed")) {
    const hint = `make one with: fleetban key init ${path}`;
    throw new PlainError(`${path}: holds no keys of a fleet; ${hint}`, EXIT.config);
  }
  const mode = statSync(folder.path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    const expected = `expected 700, got ${mode.toString(8)}; chmod 700 ${path}`;
    throw new PlainError(`${path}: others may go into it, ${expected}`, EXIT.config);
  }
  return folder;
}

/** The folder itself, with or without keys in it. */
export function keyFolderAt(given: string): KeyFolder {
  const path = resolve(given);
  const at = (name: string) => join(path, name);
  return {
    path,
    at,
    has: (name) => existsSync(at(name)),
    read(name) {
      try {
        return readFileSync(at(name), "utf8");
      } catch (cause) {
        throw explain(`${at(name)}: cannot be read`, cause);
      }
    },
    write(name, text) {
      try {
        mkdirSync(dirname(at(name)), { recursive: true, mode: 0o700 });
        const draft = `${at(name)}.new`;
        rmSync(draft, { force: true });
        writeFileSync(draft, text, { mode: 0o600, flag: "wx", flush: true });
        chmodSync(draft, 0o600); // whatever the umask
        renameSync(draft, at(name));
      } catch (cause) {
        throw explain(`${at(name)}: cannot be written`, cause);
      }
    },
    remove: (name) => rmSync(at(name), { force: true }),
  };
}

function explain(what: string, cause: unknown): unknown {
  if (!(cause instanceof Error && "code" in cause)) return cause;
  const isPermission = cause.code === "EACCES" || cause.code === "EPERM";
  const code = isPermission ? EXIT.permission : EXIT.config;
  return new PlainError(`${what}: ${explainFileError(cause)}`, code, { cause });
}
