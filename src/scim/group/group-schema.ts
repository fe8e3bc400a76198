// The schema of groups (RFC 7643 §4.2), and the role that each of them is.
import { attribute, type ResourceSchemas } from '../schema.ts'

export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group'

/** The schemas of groups. */
export const GROUP_SCHEMAS: ResourceSchemas = {
  core: {
    id: GROUP,
    name: 'Group',
    description: 'A role, and who has it',
    attributes: [
      attribute('displayName', 'What the group is called.', {
        required: true,
        uniqueness: 'server',
      }),
      attribute('role', 'What members have among their roles: its first name.', {
        caseExact: true,
        mutability: 'readOnly',
      }),
      attribute('members', 'Who belongs to it.', {
        type: 'complex',
        multiValued: true,
        subAttributes: [
          attribute('value', 'The id of the user.', {
            caseExact: true,
            mutability: 'immutable',
          }),
          attribute('$ref', 'Where the user is.', {
            type: 'reference',
            referenceTypes: ['User'],
            mutability: 'immutable',
          }),
          attribute('type', 'Always User.', {
            canonicalValues: ['User'],
            mutability: 'immutable',
          }),
        ],
      }),
    ],
  },
  extensions: [],
}
