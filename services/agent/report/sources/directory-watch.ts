/** Says when something changes in the folder of a file; needs a poll as its safety net. */
import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import { realPathOf, statOf } from "./siblings.ts";

export interface DirectoryWatch {
  /** Watches the folder that the file is in now; to be repeated, as that may become another. */
  ensure(): void;
  close(): void;
}

/** `onChange`: something has happened to `path`, or to a file whose name begins the same. */
export function createDirectoryWatch(path: string, onChange: () => void): DirectoryWatch {
  let watcher: FSWatcher | undefined;
  /** The folder's inode: one that was deleted and made anew is not watched any more. */
  let watched: number | undefined;

  function close(): void {
    watcher?.close();
    watcher = undefined;
  }

  return {
    ensure() {
      const target = realPathOf(path);
      const folder = dirname(target);
      const inode = statOf(folder)?.ino;
      if (watcher && inode === watched) return;
      close();
      if (inode === undefined) return; // no such folder yet
      try {
        watcher = watch(folder, (_event, changed) => {
          if (changed === null || changed.startsWith(basename(target))) onChange();
        });
        watcher.on("error", close);
        watched = inode;
      } catch {
        watcher = undefined; // no inotify instance is left, for one: the poll must do
      }
    },
    close,
  };
}
