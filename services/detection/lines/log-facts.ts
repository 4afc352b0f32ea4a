/** What a line does not say of itself, and whoever reads the log knows. */
import { LOCAL_ZONE, type Zone } from "./zone.ts";

export interface LogFacts {
  /** The zone of stamps that do not say theirs, as it is known at the moment. */
  readonly zone: Zone;
  /**
   * The programs whose entries of the journal may report logins. dovecot: a program or container
   * with such a name. chosen: all, because the administrator has chosen a container or fields.
   */
  readonly writers: "dovecot" | "chosen";
  /**
   * Names under which Dovecot writes there, beside those that have dovecot in them; undefined: the
   * administrator has named none.
   */
  readonly instances?: readonly string[] | undefined;
}

export const LOCAL_LOG: LogFacts = { zone: LOCAL_ZONE, writers: "dovecot" };
