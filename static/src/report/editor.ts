// One editor for each section, over the textarea that the form would send without a script.
import { Editor, Extension, InputRule } from '@tiptap/core'
import { Plugin, TextSelection } from '@tiptap/pm/state'
import { Decoration, DecorationSet } from '@tiptap/pm/view'
import StarterKit from '@tiptap/starter-kit'
import { $, $$ } from '../shell/dom'
import { toContent, toDocument, toText } from './text'

export interface Section {
  key: string
  title: string
  text: string
}

const FIELD = /\[[^[\]\n]{1,60}\]/g

function macroText(shortcut: string): string | null {
  const template = $<HTMLTemplateElement>(`template[data-macro-text="${CSS.escape(shortcut)}"]`)
  return template?.content.textContent ?? null
}

function fieldsOf(doc: Editor['state']['doc']): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = []
  doc.descendants((node, pos) => {
    if (!node.isText) return
    for (const match of (node.text ?? '').matchAll(FIELD)) {
      found.push({ from: pos + match.index, to: pos + match.index + match[0].length })
    }
  })
  return found
}

const Fields = Extension.create({
  name: 'fields',
  addProseMirrorPlugins() {
    return [
      new Plugin({
        props: {
          decorations: (state) =>
            DecorationSet.create(
              state.doc,
              fieldsOf(state.doc).map(({ from, to }) => Decoration.inline(from, to, { class: 'slot slot--todo' })),
            ),
        },
      }),
    ]
  },
  addKeyboardShortcuts() {
    return {
      // The next open field of the section; without one, Tab goes on to the next section as everywhere.
      Tab: ({ editor }) => {
        const behind = cursorOf(editor)
        const next = fieldsOf(editor.state.doc).find((f) => f.from >= behind)
        if (!next) return false
        const selection = TextSelection.create(editor.state.doc, next.from, next.to)
        editor.view.dispatch(editor.state.tr.setSelection(selection).scrollIntoView())
        return true
      },
    }
  },
})

/** Where the selection ends. The browser tells the editor of a move of the cursor in a later task: a
 * key that comes before it must still start from where the person sees the cursor. */
function cursorOf({ state, view }: Editor): number {
  const seen = document.getSelection()
  if (!seen?.anchorNode || !seen.focusNode || !view.dom.contains(seen.focusNode)) return state.selection.to
  return Math.max(view.posAtDOM(seen.anchorNode, seen.anchorOffset), view.posAtDOM(seen.focusNode, seen.focusOffset))
}

const Macros = Extension.create({
  name: 'macros',
  addInputRules() {
    return [
      new InputRule({
        find: /(?:^|\s)\.([a-z0-9]{1,16})\s$/,
        handler: ({ range, match, chain }) => {
          const text = macroText(match[1] ?? '')
          if (text === null) return
          const blank = match[0].startsWith('.') ? 0 : 1
          chain()
            .deleteRange({ from: range.from + blank, to: range.to })
            .insertContent(toContent(text))
            .run()
        },
      }),
    ]
  },
})

export class Editors {
  private readonly editors: { editor: Editor; area: HTMLTextAreaElement; key: string; title: string }[] = []
  private last: Editor | null = null

  constructor(
    form: HTMLFormElement,
    private readonly changed: () => void,
  ) {
    for (const section of $$('[data-section]', form)) this.mount(section)
  }

  private mount(section: HTMLElement): void {
    const area = $<HTMLTextAreaElement>('textarea', section)
    const label = $('label', section)
    if (!area || !label) return
    const title = $<HTMLInputElement>('input[name="title"]', section)?.value ?? ''
    const host = document.createElement('div')
    host.className = 'rp__field'
    area.hidden = true
    label.removeAttribute('for')
    area.after(host)
    const editor = new Editor({
      element: host,
      injectCSS: false,
      extensions: [
        StarterKit.configure({
          blockquote: false, bold: false, code: false, codeBlock: false, heading: false, horizontalRule: false,
          italic: false, link: false, strike: false, underline: false, trailingNode: false,
        }),
        Fields,
        Macros,
      ],
      content: toDocument(area.value),
      editorProps: {
        // Ctrl Enter signs: the editor's own line break leaves it to the page.
        handleDOMEvents: { keydown: (_, event) => event.key === 'Enter' && (event.ctrlKey || event.metaKey) },
        attributes: { role: 'textbox', 'aria-multiline': 'true', 'aria-labelledby': label.id, class: 'rt', spellcheck: 'true' },
      },
      onUpdate: () => {
        area.value = toText(editor.getJSON())
        this.changed()
      },
      onFocus: () => {
        this.last = editor
      },
    })
    label.addEventListener('click', () => editor.commands.focus())
    this.editors.push({ editor, area, key: section.dataset.section ?? '', title })
  }

  sections(): Section[] {
    return this.editors.map(({ area, key, title }) => ({ key, title, text: area.value }))
  }

  fill(sections: Section[]): void {
    for (const [i, section] of sections.entries()) {
      const own = this.editors[i]
      if (own?.key === section.key) own.editor.commands.setContent(toDocument(section.text), { emitUpdate: true })
    }
  }

  /** Puts a text where the cursor was last, else at the end of the findings. */
  insert(text: string): void {
    const findings = this.editors.find((e) => e.key === 'findings') ?? this.editors[0]
    const editor = this.last ?? findings?.editor
    editor?.chain().focus().insertContent(toContent(text)).run()
  }

  focus(index: number): void {
    const editor = this.editors[index]?.editor
    if (!editor) return
    editor.view.focus() // at once: what is typed next belongs here
    editor.commands.setTextSelection(editor.state.doc.content.size)
    editor.commands.scrollIntoView()
  }

  focusFirst(): void {
    const empty = this.editors.findIndex((e) => !e.area.value.trim() && e.key !== 'indication')
    this.focus(empty < 0 ? 0 : empty)
  }

  macro(shortcut: string): void {
    const text = macroText(shortcut)
    if (text !== null) this.insert(text)
  }
}
