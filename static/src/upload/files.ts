// Files out of what a person dropped or chose, with the paths they had there.

export interface Found {
  path: string
  file: File
}

/** What an input holds; files of a folder carry their paths. */
export function chosen(input: HTMLInputElement): Found[] {
  const found = [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }))
  input.value = '' // so that the same folder can be chosen again
  return found
}

/** Whatever lies in a drop, folders gone through to their ends. */
export async function dropped(data: DataTransfer): Promise<Found[]> {
  // both are gone once this function waits
  const items = [...data.items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }))
  const found: Found[] = []
  for (const { entry, file } of items) {
    if (entry) await walk(entry, found)
    else if (file) found.push({ path: file.name, file })
  }
  return found
}

async function walk(entry: FileSystemEntry, found: Found[]): Promise<void> {
  if (entry.isDirectory) {
    const reader = (entry as FileSystemDirectoryEntry).createReader()
    for (;;) {
      // a reader gives some of a folder at a time, and none at its end
      const some = await new Promise<FileSystemEntry[]>((take, fail) => reader.readEntries(take, fail))
      if (!some.length) return
      for (const one of some) await walk(one, found)
    }
  }
  const file = await new Promise<File>((take, fail) => (entry as FileSystemFileEntry).file(take, fail))
  found.push({ path: entry.fullPath.replace(/^\//, ''), file })
}
