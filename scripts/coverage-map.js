// What tap holds to full coverage: every file of src/, whichever test is run.
import { globSync } from 'node:fs'

const SOURCES = globSync('src/**/*.ts')

/** @returns {string[]} the files that a test is to cover; taken together the tests cover all */
export default () => SOURCES
