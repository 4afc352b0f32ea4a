/**
 * journalctl's arguments, for entries as detection reads them; undefined: this machine's own
 * journal. Fields with a leading underscore are journald's own: nobody else writes into a unit.
 */
export function journalArguments(directory: string | undefined, args: readonly string[]): string[] {
  return [
    ...["--output=json", "--all", "--no-pager", "--quiet"],
    "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,CONTAINER_NAME,_SOURCE_REALTIME_TIMESTAMP",
    ...(directory === undefined ? [] : [`--directory=${directory}`]),
    ...args,
  ];
}
