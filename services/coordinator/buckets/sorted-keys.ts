/**
 * Keys in their order, for pages of a list of a million bans. They are kept in sorted pieces, so a key
 * is added or deleted without moving all others.
 */

/** A piece with more keys is divided. */
const LONGEST_PIECE = 512;

export class SortedKeys {
  /** No piece is empty; every key of a piece comes before those of the next one. */
  readonly #pieces: string[][] = [];

  add(key: string): void {
    const index = this.#pieceOf(key);
    const piece = this.#pieces[index];
    if (!piece) {
      this.#pieces.push([key]);
      return;
    }
    const place = placeOf(piece, key);
    if (piece[place] === key) return;
    piece.splice(place, 0, key);
    if (piece.length > LONGEST_PIECE) {
      this.#pieces.splice(index + 1, 0, piece.splice(LONGEST_PIECE / 2));
    }
  }

  delete(key: string): void {
    const index = this.#pieceOf(key);
    const piece = this.#pieces[index];
    const place = piece ? placeOf(piece, key) : 0;
    if (piece?.[place] !== key) return;
    piece.splice(place, 1);
    if (piece.length === 0) this.#pieces.splice(index, 1);
  }

  /** The keys behind `after`, all of them without it. The keys may change meanwhile. */
  *behind(after: string | null): Generator<string> {
    let last = after ?? "";
    for (let keys = this.#nextKeys(last); keys.length > 0; keys = this.#nextKeys(last)) {
      yield* keys;
      last = keys.at(-1) ?? last;
    }
  }

  /** Those of one piece. */
  #nextKeys(after: string): string[] {
    for (let index = this.#pieceOf(after); index < this.#pieces.length; index += 1) {
      const piece = this.#pieces[index] ?? [];
      const place = placeOf(piece, after);
      const keys = piece.slice(piece[place] === after ? place + 1 : place);
      if (keys.length > 0) return keys;
    }
    return [];
  }

  /** The last piece that begins with the key or before it, or else the first one. */
  #pieceOf(key: string): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#pieces[middle]?.[0] ?? "") <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, 0);
  }
}

/** Where the key stands in the sorted keys, or would stand. */
function placeOf(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
