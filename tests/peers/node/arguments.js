'use strict';
// Reads `[URL] --name [VALUE] …` from the command line.

/** `valued` names the options that take a value; `url` is the first plain argument. */
function parse(valued) {
  const options = {};
  const given = process.argv.slice(2);
  while (given.length) {
    const argument = given.shift();
    if (!argument.startsWith('--')) options.url = argument;
    else options[argument.slice(2)] = valued.includes(argument.slice(2)) ? given.shift() : true;
  }
  return options;
}

module.exports = { parse };
