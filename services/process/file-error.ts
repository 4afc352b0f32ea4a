/** Why a file cannot be used, in an administrator's words. Other errors keep their message. */
export function explainFileError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return ("code" in error && WORDS[String(error.code)]) || error.message;
}

/** Is it the operating system's error of this code, such as "ENOENT"? */
export const isErrno = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EIO: "the disk has errors",
  EISDIR: "it is a folder",
  ENOENT: "no such file",
  ENOSPC: "no space is left on the disk",
  ENOTDIR: "a part of its path is no folder",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};
