import { useState } from "preact/hooks";
import { formatBytes } from "../text/numbers.ts";
import { cut, segmentsOf } from "../text/visible-text.ts";

interface ForeignProps {
  text: string;
  /** Characters that are shown at first. */
  length?: number;
}

/** A rest of so few characters takes no more room than the button that would show it. */
const SHORTEST_REST = 12;

/** Text from elsewhere: isolated, with hidden characters as escapes, and cut until it is wanted. */
export function Foreign({ text, length = 80 }: ForeignProps) {
  const [isWhole, setIsWhole] = useState(false);
  const isShort = text.length <= length + SHORTEST_REST;
  const shown = isWhole || isShort ? { text, total: text.length } : cut(text, length);
  const rest = shown.total - shown.text.length;
  return (
    <bdi class={isWhole ? "foreign whole" : "foreign"}>
      {segmentsOf(shown.text).map(({ text: part, isEscape }) =>
        isEscape ? (
          <span class="escape" title="a hidden character">
            {part}
          </span>
        ) : (
          part
        ),
      )}
      {(rest > 0 || isWhole) && (
        <button
          type="button"
          class="more"
          aria-expanded={isWhole}
          onClick={() => setIsWhole(!isWhole)}
        >
          {isWhole ? "less" : `… ${formatBytes(rest)} more`}
        </button>
      )}
    </bdi>
  );
}
