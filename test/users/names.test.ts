import { domainToASCII } from 'node:url'
import t from 'tap'
import { foldName, judgeName } from '../../src/users/names/user-name.ts'

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
  {
    name: 'blanks around',
    forms: [' alice', 'alice ', 'alice\u00A0', 'alice\u3000', '\t alice\r\n'],
    folded: 'alice',
  },
  {
    name: 'marks around',
    forms: [
      '\uFEFFalice',
      'alice\u200E',
      '\u200Falice\u061C',
      'alice\u200B \u2060\u00AD',
    ],
    folded: 'alice',
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
  { name: 'nothing but blanks', value: ' \u00A0\uFEFF' },
  { name: 'nothing but a joiner', value: '\u200D' },
  { name: 'a line break', value: 'alice\nlee' },
  { name: 'an ideographic space', value: 'alice\u3000lee' },
  { name: 'an endless text', value: `alice${' '.repeat(1024)}` },
  { name: 'a blank within', value: 'alice lee' },
  { name: 'a no-break space', value: 'alice\u00A0lee' },
  { name: 'a character that folds to a blank', value: 'a\u00B4' },
  { name: 'NUL', value: 'ali\0ce' },
  { name: 'a C1 control', value: 'ali\u0085ce' },
  { name: 'a bidi override', value: '\u202Eecila' },
  { name: 'a bidi isolate', value: '\u2066alice' },
  { name: 'a zero-width space', value: 'ali\u200Bce' },
  { name: 'a zero-width joiner', value: 'ali\u200Dce' },
  { name: 'a zero-width joiner after', value: 'alice\u200D' },
  { name: 'a zero-width non-joiner', value: 'ali\u200Cce' },
  { name: 'a non-joiner behind a letter that never joins', value: 'دا\u200Cنش' },
  { name: 'a non-joiner behind the last letter', value: 'نام\u200C' },
  { name: 'a joiner between Arabic letters', value: 'نا\u200Dمه' },
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

// The words are such as people are called by, and as dictionaries write them.
const joined = [
  { name: 'Persian', value: 'علی\u200Cرضا' },
  { name: 'Persian, with a mark', value: 'نامه\u064E\u200Cای' },
  { name: 'Hindi', value: 'क्\u200Dष' },
  { name: 'Malayalam, at the end', value: 'അവന്\u200D' },
  { name: 'Sinhala', value: 'ශ්\u200Dරී' },
]

for (const { name, value } of joined) {
  t.test(`a joiner stands where its script needs it: ${name}`, async t => {
    t.equal(foldName(value), value)
    t.not(foldName(value), foldName(value.replace(/[\u200C\u200D]/, '')))
  })
}

t.test('joiners are judged as in host names, letter by letter', async t => {
  const isHost = (label: string) => domainToASCII(label) !== ''
  const astray: string[] = []
  const judge = (name: string) => {
    if ((foldName(name) !== undefined) !== isHost(name)) astray.push(name)
  }
  let letters = 0
  // Arabic and Syriac, whose letters no later Unicode has let join otherwise.
  for (let point = 0x620; point < 0x750; point++) {
    const letter = String.fromCodePoint(point)
    if (!/\p{L}/u.test(letter) || !isHost(letter) || foldName(letter) !== letter) continue
    letters += 1
    for (const joiner of ['\u200C', '\u200D']) {
      judge(`${letter}${joiner}ب`)
      judge(`ب${joiner}${letter}`)
    }
  }
  // The Indic scripts of everyday names; each has its virama at the same place of its block.
  for (let block = 0x900; block < 0xd80; block += 0x80) {
    const virama = String.fromCodePoint(block + 0x4d)
    const letter = String.fromCodePoint(block + 0x15)
    judge(`${letter}${virama}\u200D${letter}`)
    judge(`${letter}${virama}\u200C${letter}`)
    judge(`${letter}\u200D${letter}`)
  }
  t.ok(letters > 150, `${letters} letters`)
  t.same(astray, [])
})

const faults = [
  { value: ' ', fault: 'is empty' },
  { value: 'a'.repeat(256), fault: 'is longer than 255 bytes' },
  { value: 'a b', fault: 'holds a blank' },
  {
    value: 'a\u0000b',
    fault: 'holds a control, an invisible or an unassigned character',
  },
  { value: 'a.', fault: 'ends in a dot' },
]

t.test('what is wrong with a name is said', async t => {
  for (const { value, fault } of faults) t.same(judgeName(value), { fault })
  t.same(judgeName(' Ann '), { written: 'Ann', folded: 'ann' })
})

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
