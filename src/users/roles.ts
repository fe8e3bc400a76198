// The rule for the names of roles, for the command line, imports and everything else.

const ROLE = /^[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point},]{1,128}$/u

/** The rule in words, to be read behind `a role is`. */
export const ROLE_RULE =
  '1 to 128 characters without blanks, commas, controls and invisible ones'

/** Whether a text may be a role: as a token of a list, so without the blanks and commas that separate one. */
export function isRole(text: string): boolean {
  return ROLE.test(text)
}
