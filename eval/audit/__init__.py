"""An audit of one model: what each route gets, beside the untouched target and a control that never knew."""
