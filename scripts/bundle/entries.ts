/** Where a start and every command begin, and the stores, of which a start loads one: `bundle/NAME.js`. */
export const ENTRIES = {
  cli: 'src/cli/main.ts',
  process: 'src/main.ts',
  server: 'src/server.ts',
  primary: 'src/processes/primary.ts',
  worker: 'src/processes/worker.ts',
  redis: 'src/stores/redis/store.ts',
  sqlite: 'src/stores/sqlite/store.ts',
  postgres: 'src/stores/postgres/store.ts',
}
