import type { Word } from "../text/host-words.ts";
import { Foreign } from "./foreign.tsx";

export function WordCell({ word: { text, level } }: { word: Word }) {
  return (
    <span class={`word-${level}`}>
      <Foreign text={text} length={64} />
    </span>
  );
}
