/**
 * What rpmbuild is told (https://rpm-software-management.github.io/rpm/manual/spec.html). Libraries
 * that Node needs, with their versions, rpmbuild reads from the executable itself.
 */
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { wrap } from "./debian-control.ts";
import type { Program } from "./programs.ts";
import type { Release } from "./release.ts";

/** What happens when a package comes and goes. */
const SCRIPTS = resolve(import.meta.dirname, "../rpm");

/** `tree` has the files, below it where they will lie. */
export async function specOf(program: Program, release: Release, tree: string): Promise<string> {
  const { name, summary, requires, command } = program;
  const scripts = join(SCRIPTS, `${name}.spec`);
  return `${[
    `Name: ${name}`,
    `Version: ${release.version}`,
    "Release: 1",
    `Summary: Ban coordinator for mail servers - ${summary}`,
    "License: MIT",
    `Packager: ${release.maintainer}`,
    ...requires.map((each) => `Requires: ${each}`),
    // Its executable is no library of anybody's.
    "AutoProv: no",
    "",
    "%description",
    ...wrap(command().description()),
    "",
    "%install",
    `cp -a ${tree}/. %{buildroot}/`,
    "",
    ...(existsSync(scripts) ? [readFileSync(scripts, "utf8")] : []),
    "%files",
    "%defattr(-,root,root,-)",
    ...(await filesOf(tree)),
  ].join("\n")}\n`;
}

async function filesOf(tree: string): Promise<string[]> {
  const entries = await readdir(tree, { withFileTypes: true, recursive: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(tree.length));
  const documents = entries
    .filter((entry) => entry.isDirectory() && entry.parentPath.endsWith("/share/doc"))
    .map((entry) => join(entry.parentPath, entry.name).slice(tree.length));
  return ["/etc/fleetban", ...documents]
    .sort()
    .map((path) => `%dir ${path}`)
    .concat(files.sort());
}
