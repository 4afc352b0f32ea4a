/**
 * Patterns for paths of logs, as fail2ban's logpath has them: * and ? stand for any characters of a
 * name, [...] for one of a set, and no name that begins with a dot is meant by them.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isCompressed, rotatedFrom } from "./siblings.ts";

export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * The files that match, but those that logrotate has made of another one that matches or is there.
 * Throws where a folder may not be read.
 */
export function matchingFiles(pattern: string): string[] {
  const [, ...parts] = pattern.split("/");
  let found = ["/"];
  for (const part of parts) found = found.flatMap((folder) => below(folder, part));
  const files = found.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  const matching = new Set(files);
  return files.filter((path) => {
    if (isCompressed(path)) return false;
    const base = rotatedFrom(path);
    return base === undefined || !(matching.has(base) || exists(base));
  });
}

function below(folder: string, part: string): string[] {
  if (!isPattern(part)) return [join(folder, part)];
  const regex = regexOf(part);
  return namesIn(folder)
    .filter((name) => !name.startsWith(".") && regex.test(name))
    .toSorted()
    .map((name) => join(folder, name));
}

/** None in a folder that is not there, or is no folder. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** An expression for a name; every star is lazy and there are few, for the administrator wrote it. */
function regexOf(part: string): RegExp {
  const source = part.replace(/\[!?[^\]]+\]|[*?]|[^*?[]+|\[/g, (piece) => {
    if (piece === "*") return ".*";
    if (piece === "?") return ".";
    if (piece.length > 1 && piece.startsWith("[") && piece.endsWith("]")) {
      const set = piece
        .slice(1, -1)
        .replace(/^!/, "^")
        .replace(/[\\[\]]/g, "\\$&");
      return `[${set}]`;
    }
    return piece.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  return new RegExp(`^${source}$`, "su");
}
