import { defineConfig } from "prisma/config";

// `migrate` of this tool is not used: it would download an engine, see prisma/migrate.ts.
export default defineConfig({ schema: "prisma/schema.prisma" });
