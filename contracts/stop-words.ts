// Stop words of common languages.

export const STOP_WORDS: ReadonlySet<string> = new Set(
  (
    'a an and are as at be been but by can could did do does for from had has have how i if in into is it its may me my no not of on or our ' +
    'shall should so such than that the their them then there these they this those to was we were what when where which who whom why will ' +
    'with would you your about tell please ' +
    'aber als am auch auf aus bei bin bis das dass dem den der des die dies diese dieser durch ein eine einem einen einer es für hat ich im ist ' +
    'kann mit nach nicht noch nur oder sich sie sind so über um und uns unter vom von vor war was welche welcher wenn wer wie wird wo zu zum zur ' +
    'au aux avec ce ces dans de des du elle en est et il la le les mais ne nous ou par pas pour que qui sa se ses son sur un une vous ' +
    'con de del el en es la las lo los no o para por que se su sus un una y'
  ).split(' '),
)
