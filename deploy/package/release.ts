/** Which release is built: its version, and the one instant that everything in it is dated by. */
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { PlainError, EXIT } from "../../services/process/exit.ts";
import { readVersion } from "../../services/process/version.ts";

export interface Release {
  /** package.json's where that is tagged; before it "0.1.0~git202611250012.a551ef6". */
  version: string;
  /** Epoch seconds of the last commit, or SOURCE_DATE_EPOCH. */
  epoch: number;
  /** Who answers for the packages: "Name <address>". */
  maintainer: string;
}

/** Until whoever gives packages to others says who they are, in FLEETBAN_MAINTAINER. */
const NOBODY = "fleetban maintainers <maintainers@fleetban.invalid>";

const ROOT = resolve(import.meta.dirname, "../..");

export interface ReleaseSettings {
  /** SOURCE_DATE_EPOCH. */
  sourceDateEpoch: string | undefined;
  /** FLEETBAN_MAINTAINER. */
  maintainer: string | undefined;
}

export function readRelease(settings: ReleaseSettings): Release {
  const { sourceDateEpoch, maintainer = NOBODY } = settings;
  if (!/^[^<>\n]+ <[^<>@\s]+@[^<>@\s]+>$/.test(maintainer)) {
    const expected = 'expected one such as "Example Ltd <mail@example.org>"';
    throw new PlainError(`FLEETBAN_MAINTAINER: got "${maintainer}", ${expected}`, EXIT.usage);
  }
  const version = readVersion();
  const commit = readCommit();
  const epoch = Number(sourceDateEpoch ?? commit?.epoch);
  if (!Number.isInteger(epoch) || epoch <= 0) {
    const expected = "expected a git checkout, or SOURCE_DATE_EPOCH in seconds";
    throw new PlainError(
      `there is no date to build for, got ${sourceDateEpoch}, ${expected}`,
      EXIT.usage,
    );
  }
  if (!commit || commit.tags.includes(`v${version}`)) return { version, epoch, maintainer };
  const stamp = new Date(commit.epoch * 1000).toISOString().replace(/\D/g, "").slice(0, 12);
  // A tilde sorts before the release itself: https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
  return { version: `${version}~git${stamp}.${commit.id}`, epoch, maintainer };
}

/** undefined: this is no git checkout. */
function readCommit(): { epoch: number; id: string; tags: string[] } | undefined {
  try {
    const git = (...args: string[]) =>
      execFileSync("git", args, {
        cwd: ROOT,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    const [epoch, id = ""] = git("log", "-1", "--format=%ct %H").trim().split(" ");
    const tags = git("tag", "--points-at", "HEAD").split("\n");
    return { epoch: Number(epoch), id: id.slice(0, 7), tags };
  } catch {
    return undefined;
  }
}
