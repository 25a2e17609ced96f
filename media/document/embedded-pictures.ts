// Pictures within a text as base64: no words.

const DATA = String.raw`data:image\/[\w.+-]+;base64,[A-Za-z0-9+\/=_-]*`
/** With the reference definition or the angle brackets around it; line ends occur within long ones of mails. */
const PICTURE = new RegExp(String.raw`^[ \t]*\[[^\]\n]{1,200}\]:[ \t]*<?${DATA}>?[ \t]*$|<?${DATA}>?`, 'gim')

/** The text without their data; alternative text stays. */
export function withoutPictures(text: string): { text: string; count: number } {
  if (!text.includes(';base64,')) return { text, count: 0 }
  let count = 0
  const kept = text.replaceAll(PICTURE, () => {
    count += 1
    return ''
  })
  return { text: kept, count }
}
