/** Addresses of mail, as coordinator.yaml takes them. None of these characters ends a header or a command. */
export const MAIL_ADDRESS = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$/;
/** A local user, as sendmail takes it. */
export const MAIL_USER = /^[\w.+-]{1,64}$/;
