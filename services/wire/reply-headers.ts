/** Headers of a reply to a request. */

/** Those of an error are as NATS's services framework has them. */
export const ERROR_CODE_HEADER = "Nats-Service-Error-Code";
export const ERROR_HEADER = "Nats-Service-Error";

/** The version of the fleetban that has answered. */
export const VERSION_HEADER = "Fleetban-Version";
