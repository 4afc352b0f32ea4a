/**
 * Many items in an order, for answers that begin somewhere in a million bans. They are kept in sorted
 * pieces, so an item is added or deleted without moving all others.
 */

/** A piece with more items is divided. */
const LONGEST_PIECE = 512;

export class SortedList<T extends string | object> {
  /** Of two items that are the same to the list, neither comes before the other. */
  readonly #isBefore: (a: T, b: T) => boolean;
  /** No piece is empty; every item of a piece comes before those of the next one. */
  readonly #pieces: T[][] = [];

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  add(item: T): void {
    const index = this.#pieceOf(item);
    const piece = this.#pieces[index];
    if (!piece) {
      this.#pieces.push([item]);
      return;
    }
    const place = this.#placeOf(piece, item);
    if (this.#isAt(piece, place, item)) return;
    piece.splice(place, 0, item);
    if (piece.length > LONGEST_PIECE) this.#divide(index, piece);
  }

  delete(item: T): void {
    const index = this.#pieceOf(item);
    const piece = this.#pieces[index];
    const place = piece ? this.#placeOf(piece, item) : 0;
    if (!piece || !this.#isAt(piece, place, item)) return;
    piece.splice(place, 1);
    if (piece.length === 0) this.#pieces.splice(index, 1);
  }

  /**
   * The items behind `after`, all of them without it, in parts: a generator that yields item by item
   * takes longer than all else. The items may change meanwhile.
   */
  *behind(after: T | undefined): Generator<T[]> {
    let items = this.#nextItems(after);
    while (items.length > 0) {
      yield items;
      items = this.#nextItems(items.at(-1));
    }
  }

  /** The first item behind `after`. */
  next(after: T | undefined): T | undefined {
    return this.#nextItems(after, 1)[0];
  }

  /** About how large a part of all items lies between the two, 0 to 1; it is known at once. */
  shareBetween(from: T, to: T): number {
    return (this.#pieceOf(to) - this.#pieceOf(from)) / Math.max(this.#pieces.length, 1);
  }

  /** Those of one piece, at most `most`. */
  #nextItems(after: T | undefined, most = LONGEST_PIECE): T[] {
    if (after === undefined) return this.#pieces[0]?.slice(0, most) ?? [];
    for (let index = this.#pieceOf(after); index < this.#pieces.length; index += 1) {
      const piece = this.#pieces[index] ?? [];
      const place = this.#placeOf(piece, after);
      const begin = this.#isAt(piece, place, after) ? place + 1 : place;
      if (begin < piece.length) return piece.slice(begin, begin + most);
    }
    return [];
  }

  /** Two new arrays, because an array that was cut keeps its room in memory. */
  #divide(index: number, piece: readonly T[]): void {
    const middle = piece.length >> 1;
    this.#pieces.splice(index, 1, piece.slice(0, middle), piece.slice(middle));
  }

  /** The last piece that begins with the item or before it, or else the first one. */
  #pieceOf(item: T): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const first = this.#pieces[middle]?.[0];
      if (first === undefined || !this.#isBefore(item, first)) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, 0);
  }

  /** Where the item stands in the piece, or would stand. */
  #placeOf(piece: readonly T[], item: T): number {
    let low = 0;
    let high = piece.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = piece[middle];
      if (other !== undefined && this.#isBefore(other, item)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Is the item there, where it would stand? */
  #isAt(piece: readonly T[], place: number, item: T): boolean {
    const present = piece[place];
    return present !== undefined && !this.#isBefore(item, present);
  }
}
