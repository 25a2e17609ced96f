// The programming language of a file, by its name or the interpreter that its first line names.

const EXTENSIONS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    ada: 'adb ads',
    asm: 'asm s',
    bash: 'sh bash zsh ksh',
    batch: 'bat cmd',
    c: 'c h',
    clojure: 'clj cljs cljc edn',
    cmake: 'cmake',
    cobol: 'cob cbl',
    cpp: 'cc cpp cxx hh hpp hxx ino',
    csharp: 'cs csx',
    css: 'css scss sass less',
    cuda: 'cu cuh',
    dart: 'dart',
    diff: 'diff patch',
    elixir: 'ex exs',
    erlang: 'erl hrl',
    fortran: 'f f90 f95 f03 for',
    fsharp: 'fs fsx fsi',
    go: 'go',
    graphql: 'graphql gql',
    groovy: 'groovy gradle',
    haskell: 'hs lhs',
    hcl: 'tf tfvars hcl',
    ini: 'ini cfg conf properties env editorconfig',
    java: 'java',
    javascript: 'js mjs cjs jsx',
    julia: 'jl',
    kotlin: 'kt kts',
    lisp: 'lisp lsp el scm rkt',
    lua: 'lua',
    makefile: 'mk mak',
    matlab: 'm',
    nim: 'nim',
    nix: 'nix',
    ocaml: 'ml mli',
    pascal: 'pas dpr',
    perl: 'pl pm',
    php: 'php',
    powershell: 'ps1 psm1 psd1',
    prolog: 'pro',
    protobuf: 'proto',
    python: 'py pyw pyi',
    r: 'r',
    ruby: 'rb rake gemspec',
    rust: 'rs',
    scala: 'scala sc',
    solidity: 'sol',
    sql: 'sql ddl',
    svelte: 'svelte',
    swift: 'swift',
    tcl: 'tcl',
    toml: 'toml',
    typescript: 'ts mts cts tsx',
    vb: 'vb vbs bas',
    verilog: 'v sv',
    vhdl: 'vhd vhdl',
    vue: 'vue',
    yaml: 'yaml yml',
    zig: 'zig',
  }).flatMap(([language, extensions]) => extensions.split(' ').map((extension) => [extension, language])),
)
const NAMES: Readonly<Record<string, string>> = {
  dockerfile: 'dockerfile',
  gemfile: 'ruby',
  jenkinsfile: 'groovy',
  makefile: 'makefile',
  rakefile: 'ruby',
}
const INTERPRETERS: Readonly<Record<string, string>> = {
  bash: 'bash',
  deno: 'typescript',
  node: 'javascript',
  perl: 'perl',
  php: 'php',
  python: 'python',
  ruby: 'ruby',
  sh: 'bash',
  zsh: 'bash',
}

/** Undefined for what is no source code. */
export function languageOf(name: string, text: string): string | undefined {
  const file = name.replace(/^.*[\\/]/, '').toLowerCase()
  const extension = /\.(\w+)$/.exec(file)?.[1] ?? ''
  const interpreter = /^#!\s*\S*?(?:\/env\s+(?:-S\s+)?(?:\w+=\S+\s+)*)?([a-z]+)[\d.]*(?:\s|$)/m.exec(text.slice(0, 200))
  return (
    (Object.hasOwn(EXTENSIONS, extension) ? EXTENSIONS[extension] : undefined) ??
    (Object.hasOwn(NAMES, file) ? NAMES[file] : undefined) ??
    (text.startsWith('#!') && interpreter ? INTERPRETERS[interpreter[1]!] : undefined)
  )
}
