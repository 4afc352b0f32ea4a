/** Numbers for the names of hosts: windows hold them for every attempt, and a name takes more room. */
export interface HostNumbers {
  /** The number of the host, which has one from then on. */
  numberOf(host: string): number;
  /** undefined: the host has none. */
  find(host: string): number | undefined;
  nameOf(number: number): string;
}

export function createHostNumbers(): HostNumbers {
  const numbers = new Map<string, number>();
  const names: string[] = [];
  return {
    numberOf(host) {
      const known = numbers.get(host);
      if (known !== undefined) return known;
      numbers.set(host, names.push(host) - 1);
      return names.length - 1;
    },
    find: (host) => numbers.get(host),
    nameOf: (number) => names[number] ?? "",
  };
}
