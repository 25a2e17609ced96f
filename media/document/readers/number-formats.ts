// Numbers of lists in the formats of Office.
import { roman } from '../html-parts.ts'

const SIGNS: Record<string, string> = {
  decimalEnclosedCircle: '⓪①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳',
  ideographDigital: '〇一二三四五六七八九',
  ideographTraditional: ' 甲乙丙丁戊己庚辛壬癸',
  ideographZodiac: ' 子丑寅卯辰巳午未申酉戌亥',
  aiueoFullWidth: ' アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン',
  iroha: ' イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセスン',
  ganada: ' 가나다라마바사아자차카타파하',
  chosung: ' ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ',
  russianLower: ' абвгдежзиклмнопрстуфхцчшщыэюя',
  hebrew2: ' אבגדהוזחטיכלמנסעפצקרשת',
  arabicAlpha: ' أبتثجحخدذرزسشصضطظعغفقكلمنهوي',
}
const COUNTING =
  /^(?:chineseCounting|chineseCountingThousand|japaneseCounting|taiwaneseCounting|taiwaneseCountingThousand|koreanCounting)$/

/** Undefined for a format that is not known. */
export function numberText(number: number, format: string): string | undefined {
  const signs = SIGNS[format === 'russianUpper' ? 'russianLower' : format === 'aiueo' ? 'aiueoFullWidth' : format]
  if (signs !== undefined) {
    const sign = format === 'ideographDigital' ? undefined : Array.from(signs)[number]
    if (format === 'ideographDigital')
      return String(number).replaceAll(/\d/g, (digit) => Array.from(signs)[Number(digit)]!)
    return format === 'russianUpper' ? sign?.toUpperCase() : sign
  }
  if (COUNTING.test(format)) return counted(number)
  // A custom format: `001, 002, 003, ...`.
  const zeros = /^(0+)1,/.exec(format)?.[1]
  if (zeros) return String(number).padStart(zeros.length + 1, '0')
  switch (format) {
    case 'decimal':
    case 'decimalHalfWidth':
    case 'bullet':
      return String(number)
    case 'none':
      return ''
    case 'decimalZero':
      return String(number).padStart(2, '0')
    case 'decimalFullWidth':
    case 'decimalFullWidth2':
      return String(number).replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)))
    case 'numberInDash':
      return `- ${number} -`
    case 'decimalEnclosedParen':
      return `(${number})`
    case 'decimalEnclosedFullstop':
      return `${number}.`
    case 'lowerRoman':
      return roman(number)
    case 'upperRoman':
      return roman(number).toUpperCase()
    case 'lowerLetter':
      return repeatedLetter(number)
    case 'upperLetter':
      return repeatedLetter(number).toUpperCase()
    case 'ordinal':
      return number + ordinalEnding(number)
    default:
      return undefined
  }
}

/** `z` is followed by `aa`, `bb`. */
function repeatedLetter(number: number): string {
  if (number < 1 || number > 26 * 30) return String(number)
  return String.fromCodePoint(97 + ((number - 1) % 26)).repeat(Math.ceil(number / 26))
}

function ordinalEnding(number: number): string {
  const teens = number % 100 > 10 && number % 100 < 14
  return teens ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th')
}

/** 一, 十, 十一, 二十, to 99; beyond they differ by language. */
function counted(number: number): string | undefined {
  if (number < 1 || number > 99) return undefined
  const digits = Array.from('〇一二三四五六七八九')
  const [tens, ones] = [Math.floor(number / 10), number % 10]
  return (tens > 1 ? digits[tens]! : '') + (tens > 0 ? '十' : '') + (ones > 0 ? digits[ones]! : '')
}
