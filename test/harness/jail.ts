import type { Jail } from "../../services/wire/settings.ts";

export const JAIL: Jail = {
  v: 1,
  name: "dovecot",
  ports: [143],
  maxretry: 5,
  findtime: 1200,
  bantime: 1200,
};
