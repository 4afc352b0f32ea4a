/** The text of `--version --verbose`: the parts that security notices name. */
import { isSea } from "node:sea";
import { readVersion } from "./version.ts";

/** fleetban's version, and the Node that the program runs on, with its largest parts. */
export function describeVersion(): string {
  const { version, versions, release, execPath } = process;
  const line = release.lts === undefined ? "" : ` (LTS ${release.lts})`;
  const where = isSea() ? "in this executable" : execPath;
  const node = `Node.js ${version.slice(1)}${line}, ${where}`;
  return `${readVersion()}\n${node}\nOpenSSL ${versions.openssl}, V8 ${versions.v8}\n`;
}
