/** Attempts by country on a map of the world; the table beside it says the same in numbers. */
import map from "fleetban:world-map";
import { useState } from "preact/hooks";
import type { TopRow } from "../api/messages.ts";
import { count, formatNumber } from "../text/numbers.ts";

const names = new Intl.DisplayNames(["en"], { type: "region" });

/** "Germany" for "DE"; what is no code of a country stays as it is. */
export function countryName(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return code;
  return names.of(code) ?? code;
}

/** How dark a country is: five classes. A root, because a few countries have nearly all attempts. */
const CLASSES = 5;

function classOf(attempts: number | undefined, most: number): string {
  if (attempts === undefined || attempts === 0) return "none";
  const part = (attempts / most) ** 0.4;
  return `level-${Math.min(Math.ceil(part * CLASSES), CLASSES)}`;
}

export function WorldMap({ top }: { top: readonly TopRow[] }) {
  const [shown, setShown] = useState("");
  const attempts = new Map(top.map((row) => [row.name, row.attempts]));
  const most = Math.max(...attempts.values(), 1);
  const describe = (code: string) =>
    `${countryName(code)}: ${count(attempts.get(code) ?? 0, "attempt")}`;
  const nameWithAttempts = ({ name, attempts }: TopRow) =>
    `${countryName(name)} ${formatNumber(attempts)}`;
  const worst = top.filter(({ name }) => /^[A-Z]{2}$/.test(name)).slice(0, 3);
  const summary =
    worst.length === 0
      ? "No attempt came from a known country."
      : `Most attempts: ${worst.map(nameWithAttempts).join("; ")}`;
  return (
    <figure class="world">
      <svg viewBox={`0 0 ${map.width} ${map.height}`} role="img" aria-label={summary}>
        {map.countries.map(([code, path]) => (
          <path
            d={path}
            class={classOf(attempts.get(code), most)}
            onPointerEnter={() => setShown(code)}
            onPointerLeave={() => setShown("")}
          />
        ))}
        {map.small
          .filter(([code]) => attempts.has(code))
          .map(([code, x, y]) => (
            <circle
              cx={x}
              cy={y}
              r={5}
              class={classOf(attempts.get(code), most)}
              onPointerEnter={() => setShown(code)}
              onPointerLeave={() => setShown("")}
            />
          ))}
      </svg>
      <figcaption>
        <span class="scale" aria-hidden="true">
          fewer
          {Array.from({ length: CLASSES }, (_, index) => (
            <span class={`swatch level-${index + 1}`} />
          ))}
          more
        </span>
        <span>{shown === "" ? summary : describe(shown)}</span>
      </figcaption>
    </figure>
  );
}
