/** The version of forebay that this code is of, as package.json has it: a test compares them. */
export const version = '0.1.0';
