/** Numbers and their nouns. */

/** "1,234,567", in English whatever the browser's language is: so is the rest of the page. */
export const formatNumber = (number: number): string =>
  Number.isInteger(number)
    ? number.toLocaleString("en-GB")
    : number.toLocaleString("en-GB", { maximumFractionDigits: number < 100 ? 1 : 0 });

/** "1 host", "2 hosts". */
export const count = (number: number, one: string, many = `${one}s`): string =>
  `${formatNumber(number)} ${number === 1 ? one : many}`;

/** "12 kB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  for (const [unit, size] of [
    ["kB", 1e3],
    ["MB", 1e6],
    ["GB", 1e9],
  ] as const) {
    if (bytes < size * 1000) {
      const value = bytes / size;
      return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
    }
  }
  return `${Math.round(bytes / 1e12)} TB`;
}

/** "37 %", "0.4 %", "< 0.1 %". */
export function formatShare(part: number, whole: number): string {
  if (whole === 0 || part === 0) return "0 %";
  const percent = (100 * part) / whole;
  if (percent < 0.1) return "< 0.1 %";
  return `${percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} %`;
}
