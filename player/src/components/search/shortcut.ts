/** Whether `/` goes to the search box: remembered on this device (WCAG 2.1.4: it can be off). */
import { ref } from "vue";
import { safeStorage } from "@/app/preferences";

const KEY = "hall.slash";
const isOn = ref(safeStorage()?.getItem(KEY) !== "off");

export function useShortcut() {
  function set(value: boolean): void {
    isOn.value = value;
    try {
      safeStorage()?.setItem(KEY, value ? "on" : "off");
    } catch (error) {
      if (!(error instanceof DOMException)) throw error; // Then it lasts for this visit.
    }
  }
  return { isOn, set };
}
