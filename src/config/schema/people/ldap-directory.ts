// What the configuration says of a directory that is an LDAP server (`type: ldap`).
import { Type } from 'typebox'
import { strict } from '../parts.ts'

const text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 4_096, description }))

const Attribute = Type.String({
  pattern: '^[A-Za-z][A-Za-z0-9;-]{0,127}$|^[0-9]+(?:\\.[0-9]+)+$',
  expected: 'the name of an LDAP attribute',
})

const named = (value: string, description: string) =>
  Type.String({ ...Attribute, default: value, description })

const Groups = Type.Object(
  {
    attribute: Type.Optional(
      Type.String({
        ...Attribute,
        description:
          "The attribute of a user's entry that names its groups, such as `memberOf`.",
      }),
    ),
    base: text(
      'The DN below which `filter` searches for groups. Without it, no groups ' +
        'are searched for.',
    ),
    filter: Type.String({
      default: '(member={dn})',
      maxLength: 4_096,
      description:
        'Finds the groups of a user; `{dn}` is the DN. ' +
        '`(member:1.2.840.113556.1.4.1941:={dn})` finds nested ones in Active Directory.',
    }),
    roles: Type.Record(
      Type.String(),
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'The role of the members of that group.',
      }),
      { description: "A group's DN → a role. Other groups give none." },
    ),
  },
  strict,
)

/** What those of `type: ldap` have, beside what others have, too. */
export const LDAP_KEYS = {
  serverName: text(
    "ldap: the name in the server's certificate; without it the host of `url`.",
  ),
  bindDn: text(
    'ldap: the DN that searches, with `password` or `passwordFile`; without it, ' +
      'searches are anonymous.',
  ),
  base: text('ldap: the DN below which users are searched.'),
  filter: text(
    'ldap: the filter that finds who has a name (RFC 4515), such as ' +
      '`(&(objectClass=inetOrgPerson)(uid={name}))`. `{name}` is what the user ' +
      'typed, as a value. If more than one entry matches, nobody is let in.',
  ),
  idAttribute: named(
    'entryUUID',
    'ldap: the attribute that stays when everything else of an entry changes: ' +
      '`entryUUID`, `objectGUID` ' +
      '(Active Directory), `ipaUniqueID` (FreeIPA).',
  ),
  nameAttribute: named(
    'uid',
    'ldap: the attribute that is the name of the account here: `uid`, `sAMAccountName`.',
  ),
  attributes: Type.Record(
    Type.String(),
    Type.String({ ...Attribute, description: 'The LDAP attribute.' }),
    {
      default: {},
      description:
        'ldap: an attribute that is declared here → the LDAP attribute that gives ' +
        'it, such as `email: mail`.',
    },
  ),
  emailVerified: Type.Boolean({
    default: false,
    description: "ldap: whether the directory's addresses count as verified.",
  }),
  groups: Type.Optional(Groups),
}
