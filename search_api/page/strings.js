// Every text of the page in every language it speaks. A text with forms is chosen by Intl.PluralRules.
// {name} is replaced by a value.

import { de } from "./strings_de.js";
import { en } from "./strings_en.js";
import { ru } from "./strings_ru.js";
import { vi } from "./strings_vi.js";
import { zh } from "./strings_zh.js";

export const STRINGS = { en, ru, de, zh, vi };
