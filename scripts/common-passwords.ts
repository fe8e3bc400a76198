// Makes src/users/blocklist/common-passwords.filter, the passwords that everybody tries first, of a public
// list: `node scripts/common-passwords.ts LIST [OUT]`. LIST is Django's common-passwords.txt.gz (20,000
// passwords in small letters, by Royce Williams:
// https://gist.github.com/roycewilliams/226886fd01572964e1431ac8afc999ce). No password is in the filter as
// text, only marks of its SHA-1. test/users/common-passwords.tools.ts makes it again and compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createFilter, filterSize } from '../src/users/blocklist/filter.ts'
import { sha1Of } from '../src/users/blocklist/open-blocklist.ts'

/** What is shorter no configuration allows (passwords.minLength). */
const LEAST_LENGTH = 8
/** How many passwords that aren't listed it may refuse: one of so many. */
const ONE_WRONG_OF = 1_000_000
const OUT = join(import.meta.dirname, '../src/users/blocklist/common-passwords.filter')

const [, , list = '', out = OUT] = process.argv
const lines = gunzipSync(readFileSync(list)).toString().split('\n')
const passwords = new Set(
  lines
    .map(line => line.trim().normalize('NFC').toLowerCase())
    .filter(password => Array.from(password).length >= LEAST_LENGTH),
)
const filter = createFilter(filterSize(passwords.size, 1 / ONE_WRONG_OF))
for (const password of passwords) filter.add(sha1Of(password))
writeFileSync(out, Buffer.concat(filter.parts()))
console.log(`${out}: ${passwords.size} passwords`)
