/**
 * What is in an executable, as CycloneDX: npm's own `npm sbom`, narrowed to the packages
 * that the bundle has, and Node with what it is made of.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as z from "zod";
import { carriedNode } from "./carried-node.ts";
import type { Release } from "./release.ts";

const ROOT = resolve(import.meta.dirname, "../..");

const component = z.looseObject({ "bom-ref": z.string() });
const document = z.looseObject({
  metadata: z.looseObject({ component }),
  components: z.array(component),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
});
const manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string().default("unknown"),
});

export interface BundledPackage {
  name: string;
  version: string;
  license: string;
  folder: string;
}

/** `folders` as a bundle names them: "node_modules/zod". */
export function describePackages(folders: readonly string[]): BundledPackage[] {
  return folders.map((folder) => {
    const text = readFileSync(join(ROOT, folder, "package.json"), "utf8");
    return { ...manifest.parse(JSON.parse(text)), folder };
  });
}

/** npm's list of everything that is installed. */
export function readNpmSbom(): string {
  const args = ["sbom", "--sbom-format=cyclonedx"];
  return execFileSync("npm", args, { cwd: ROOT, encoding: "utf8", maxBuffer: 64_000_000 });
}

export function sbomOf(
  npmSbom: string,
  program: string,
  packages: readonly BundledPackage[],
  release: Release,
): string {
  const whole = document.parse(JSON.parse(npmSbom));
  const refs = new Set(packages.map(({ name, version }) => `${name}@${version}`));
  const components = whole.components
    .filter((each) => refs.has(each["bom-ref"]))
    .map((each) => ({ ...each, scope: "required" })); // npm calls those optional that tools have, too
  const found = new Set(components.map((each) => each["bom-ref"]));
  const missing = [...refs].filter((ref) => !found.has(ref));
  if (missing.length > 0) {
    throw new Error(`${missing.join(", ")}: in ${program}, but not in npm's list`);
  }
  const ref = `${program}@${release.version}`;
  const own = { "bom-ref": ref, type: "application", name: program, version: release.version };
  const node = Object.entries(carriedNode().versions)
    .filter(([name]) => name !== "modules" && name !== "napi")
    .map(([name, version]) => ({
      "bom-ref": name === "node" ? `node@${version}` : `node/${name}@${version}`,
      type: name === "node" ? "platform" : "library",
      name,
      version,
    }));
  const inNode = node.map((each) => each["bom-ref"]);
  const [nodeRef = "", ...partsOfNode] = inNode;
  const dependencies = [
    { ref, dependsOn: [...found, nodeRef].sort() },
    { ref: nodeRef, dependsOn: partsOfNode },
    ...whole.dependencies
      .filter((each) => found.has(each.ref))
      .map((each) => ({ ...each, dependsOn: each.dependsOn.filter((name) => found.has(name)) })),
  ];
  const timestamp = new Date(release.epoch * 1000).toISOString();
  const metadata = { ...whole.metadata, timestamp, component: own };
  const content = { ...whole, metadata, components: [...components, ...node], dependencies };
  // npm's would be another one every time.
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify({ ...content, serialNumber: "" }))}`;
  return `${JSON.stringify({ ...content, serialNumber }, undefined, 2)}\n`;
}

/** A version 8 UUID (RFC 9562): made from what it names. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const groups = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`];
  return [...groups, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join("-");
}
