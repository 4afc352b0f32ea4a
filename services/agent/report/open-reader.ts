/** What reads a source of the configuration, and where it goes on from. */
import type { SourceConfig } from "../agent-config.ts";
import type { CheckpointFile } from "./checkpoint.ts";
import { openFileSource } from "./sources/file-source.ts";
import { openJournalSource } from "./sources/journal-source.ts";
import { isPattern } from "./sources/path-pattern.ts";
import { openPatternReader, type PatternReaderOptions } from "./sources/pattern-reader.ts";
import { readerOf, type Reader } from "./sources/reader.ts";
import type { Chunk } from "./sources/source.ts";

export type OpenReaderOptions = Omit<PatternReaderOptions, "name" | "pattern" | "restored">;

export function openReader(
  config: SourceConfig,
  restored: CheckpointFile | undefined,
  options: OpenReaderOptions,
): Reader {
  const { name, path, user: uid } = config;
  const alone = { ...options, onLines: (chunk: Chunk) => options.onLines(name, chunk) };
  const bookmark = restored?.sources[name];
  // A source that was another one under the same name begins anew.
  if (path === undefined) {
    const own = bookmark && "cursor" in bookmark ? bookmark : undefined;
    const selection = { ...config, uid };
    return readerOf(name, openJournalSource({ ...alone, selection, bookmark: own }));
  }
  if (isPattern(path)) {
    const lanes = Object.entries(restored?.sources ?? {}).filter(([lane]) => {
      return lane.startsWith(`${name}:`);
    });
    const isKnown = restored?.patterns?.[name] === path;
    const known = isKnown ? Object.fromEntries(lanes) : undefined;
    return openPatternReader({ ...options, name, pattern: path, restored: known });
  }
  const own = bookmark && "inode" in bookmark ? bookmark : undefined;
  return readerOf(name, openFileSource({ ...alone, path, bookmark: own }));
}
