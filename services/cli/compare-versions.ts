/** Which of two versions is older: "0.2.0" and "0.10.0", "1.0.0~git20261125.abc" and "1.0.0". */

/** Less than 0: `a` is older. A pre-release (behind ~) is older than its release. */
export function compareVersions(a: string, b: string): number {
  const [[releaseA = "", preA], [releaseB = "", preB]] = [a.split("~"), b.split("~")];
  const [partsA, partsB] = [releaseA.split("."), releaseB.split(".")];
  for (let index = 0; index < Math.max(partsA.length, partsB.length); index += 1) {
    const difference = numberOf(partsA[index]) - numberOf(partsB[index]);
    if (difference !== 0) return difference;
  }
  if (preA === preB) return 0;
  if (preA === undefined) return 1;
  if (preB === undefined) return -1;
  return preA < preB ? -1 : 1;
}

const numberOf = (part = "0"): number => Number.parseInt(part, 10) || 0;
