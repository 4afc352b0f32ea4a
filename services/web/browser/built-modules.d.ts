/** What the build puts into the script or beside it. */

/** Made by deploy/world-map.ts. */
declare module "fleetban:world-map" {
  const map: {
    width: number;
    height: number;
    /** The code of a country (ISO 3166, two letters), "" for none, and its SVG path. */
    countries: [code: string, path: string][];
    /** Countries that are too small for a path, and their places. */
    small: [code: string, x: number, y: number][];
  };
  export default map;
}

declare module "*.css";
