// Turns the addresses in a text into links. It makes nodes, never markup, so a text can contain no other elements.

// An address ends at a blank, at a quote or bracket, and at characters that change how the text is read.
const ADDRESS = /(?<![\p{L}\p{N}_])https?:\/\/[^\s<>"'`\p{Cc}\p{Cf}]+/giu;
const PUNCTUATION = /[.,:;!?*_~\]}]$/u;

/** Returns the strings and links that a text consists of. */
export function withLinks(text) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(found);
    const url = parsed(address);
    if (!url?.hostname) continue;
    parts.push(text.slice(end, index), linkTo(url, address));
    end = index + address.length;
  }
  return [...parts, text.slice(end)].filter((part) => part !== "");
}

function parsed(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

/** Leaves out the punctuation of the sentence: "(see https://a.example/b)." */
function trimmed(address) {
  for (;;) {
    const count = (sign) => address.split(sign).length;
    if (!PUNCTUATION.test(address) && !(address.endsWith(")") && count(")") > count("("))) return address;
    address = address.slice(0, -1);
  }
}

function linkTo(url, text) {
  const link = document.createElement("a");
  link.href = url.href;
  link.rel = "noopener noreferrer"; // the other page learns nothing of this one
  link.target = "_blank";
  link.textContent = text;
  return link;
}
