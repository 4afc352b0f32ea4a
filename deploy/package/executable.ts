/**
 * A single executable: the Node of carried-node.ts, with a bundle inside
 * (https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html).
 */
import { execFileSync } from "node:child_process";
import { chmod, copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { EXIT, PlainError } from "../../services/process/exit.ts";
import { carriedNode } from "./carried-node.ts";

/** What postject switches on in Node's program, so that it looks for a script in itself. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
const POSTJECT = resolve(import.meta.dirname, "../../node_modules/postject/dist/cli.js");

/** Throws a PlainError when the carried Node cannot be made into one. */
export async function writeExecutable(bundle: string, executable: string): Promise<void> {
  const { program: node } = carriedNode();
  if (!(await readFile(node)).includes(FUSE)) {
    const expected = "expected one that is whole in one file, as nodejs.org's";
    throw new PlainError(`${node} keeps Node in a library, ${expected}`, EXIT.unavailable);
  }
  const [settings, blob] = [`${executable}.json`, `${executable}.blob`];
  const folder = dirname(bundle);
  const config = {
    // Relative, because it stays in the executable, as the file's name in stacks.
    main: basename(bundle),
    output: blob,
    disableExperimentalSEAWarning: true,
    // It would spare some 20 ms of a start, and be another one in every build.
    useCodeCache: false,
  };
  await writeFile(settings, JSON.stringify(config));
  execFileSync(node, ["--experimental-sea-config", settings], { cwd: folder, stdio: "pipe" });
  await copyFile(node, executable);
  const args = [POSTJECT, executable, "NODE_SEA_BLOB", blob, "--sentinel-fuse", FUSE];
  execFileSync(node, args, { stdio: "pipe" });
  await chmod(executable, 0o755);
  await Promise.all([rm(settings), rm(blob)]);
}
