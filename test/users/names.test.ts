import t from 'tap'
import { foldName } from '../../src/users/names.ts'

const same = [
  { name: 'case', forms: ['Alice', 'ALICE', 'alice'], folded: 'alice' },
  { name: 'full width', forms: ['ＡＬＩＣＥ', 'alice'], folded: 'alice' },
  {
    name: 'one letter or several',
    forms: ['STRASSE', 'straße', 'STRAẞE', 'strasse'],
    folded: 'strasse',
  },
  { name: 'ligatures', forms: ['ﬃ', 'ffi', 'FFI'], folded: 'ffi' },
  { name: 'composed and decomposed', forms: ['Zoe\u0308', 'zoë', 'ZOË'], folded: 'zoë' },
  { name: 'sigmas', forms: ['ΣΊΣΥΦΟΣ', 'σίσυφος', 'ςίςυφος'], folded: 'σίσυφοσ' },
  { name: 'dots, where capitals have none', forms: ['ısa', 'isa', 'ISA'], folded: 'isa' },
  { name: 'the Kelvin sign', forms: ['\u212A', 'k', 'K'], folded: 'k' },
  {
    name: 'addresses',
    forms: ['Ann.Lee+x@Example.COM', 'ann.lee+x@example.com'],
    folded: 'ann.lee+x@example.com',
  },
  { name: 'circled digits', forms: ['user①', 'User1'], folded: 'user1' },
]

for (const { name, forms, folded } of same) {
  t.test(`names are one: ${name}`, async t => {
    for (const form of forms) t.equal(foldName(form), folded, form)
  })
}

t.test('names that differ stay apart', async t => {
  const names = ['alice', 'alise', 'alicé', 'а', 'a', '0', 'o', 'ł', 'l']
  t.equal(new Set(names.map(foldName)).size, names.length)
})

const refused = [
  { name: 'an empty name', value: '' },
  { name: 'a blank before', value: ' alice' },
  { name: 'a blank after', value: 'alice ' },
  { name: 'a blank within', value: 'alice lee' },
  { name: 'a no-break space', value: 'alice\u00A0lee' },
  { name: 'an ideographic space', value: 'alice\u3000' },
  { name: 'a character that folds to a blank', value: 'a\u00B4' },
  { name: 'a line break', value: 'alice\n' },
  { name: 'NUL', value: 'ali\0ce' },
  { name: 'a C1 control', value: 'ali\u0085ce' },
  { name: 'a bidi override', value: '\u202Eecila' },
  { name: 'a bidi isolate', value: '\u2066alice' },
  { name: 'a zero-width space', value: 'ali\u200Bce' },
  { name: 'a zero-width joiner', value: 'ali\u200Dce' },
  { name: 'a soft hyphen', value: 'ali\u00ADce' },
  { name: 'a variation selector', value: 'alice\uFE0F' },
  { name: 'a combining grapheme joiner', value: 'a\u034Flice' },
  { name: 'a Hangul filler', value: '\u3164' },
  { name: 'a private-use character', value: 'alice\uE000' },
  { name: 'an unassigned character', value: 'alice\u0378' },
  { name: 'a noncharacter', value: 'alice\uFFFF' },
  { name: 'a lone surrogate', value: 'alice\uD800' },
  { name: 'a dot after', value: 'alice.' },
  { name: 'several dots after', value: 'alice...' },
  { name: 'an ellipsis after', value: 'alice…' },
  { name: 'a wide dot after', value: 'alice．' },
  { name: 'an ideographic full stop after', value: 'alice。' },
  { name: 'a half-width full stop after', value: 'alice｡' },
  { name: 'more than 255 bytes', value: 'a'.repeat(256) },
  { name: 'more than 255 bytes of UTF-8', value: 'é'.repeat(128) },
  { name: 'more than 255 bytes once folded', value: 'ﬃ'.repeat(85) + '㎯' },
]

for (const { name, value } of refused) {
  t.test(`no user is called by ${name}`, async t => {
    t.equal(foldName(value), undefined)
  })
}

t.test('255 bytes are not too many', async t => {
  t.equal(foldName('A'.repeat(255)), 'a'.repeat(255))
})

t.test(
  'folding twice is folding once, and no character has two forms by its case',
  async t => {
    const astray: string[] = []
    for (let point = 1; point <= 0x10ffff; point++) {
      const character = String.fromCodePoint(point)
      const folded = foldName(character)
      if (folded === undefined) continue
      const forms = [
        folded,
        character.toLowerCase(),
        character.toUpperCase(),
        character.normalize('NFD'),
      ]
      if (forms.some(form => foldName(form) !== folded)) astray.push(character)
    }
    t.same(astray, [])
  },
)
