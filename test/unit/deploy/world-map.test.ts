import assert from "node:assert/strict";
import { test } from "node:test";
import { COUNTRY_CODES, SMALL_COUNTRIES } from "../../../deploy/country-codes.ts";
import { makeWorldMap } from "../../../deploy/world-map.ts";

const names = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });

test("every code of the map is a country's, and none stands for two", () => {
  const codes = [...Object.values(COUNTRY_CODES), ...SMALL_COUNTRIES.map(([code]) => code)];
  for (const code of codes) {
    assert.notEqual(names.of(code), undefined, code);
    // A code that is not used any more stands for its successor: "CS" for "RS".
    assert.equal(Intl.getCanonicalLocales(`und-${code}`)[0], `und-${code}`, code);
  }
  assert.equal(new Set(codes).size, codes.length);
});

test("the map has nearly every country, within its frame or a little behind the date line", () => {
  const { width, height, countries, small } = makeWorldMap();
  assert.ok(countries.length > 170);
  assert.ok(countries.filter(([code]) => code === "").length <= 2);
  for (const [code, path] of countries) {
    assert.match(path, /^(?:M\d+ \d+l[\d -]+z)+$/, code);
    let leap = 0;
    for (const [, dx = "0"] of path.matchAll(/(-?\d+) ?-?\d+/g)) leap = Math.max(leap, -Number(dx));
    assert.ok(leap < width / 4, `${code} goes around the earth`);
  }
  for (const [code, x, y] of small) {
    assert.ok(x >= 0 && x <= width && y >= 0 && y <= height, code);
  }
});
