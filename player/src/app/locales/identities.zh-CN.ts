/** Texts of sign-in through a provider, Chinese. */
export const identitiesZh = {
  oidc: {
    or: "或者",
    go: "使用{label}登录",
    away: "{label}暂时连不上，请先用账号和密码登录。",
    refused: {
      down: "统一登录服务暂时连不上，请先用账号和密码登录，或者过一会儿再试。",
      cancelled: "没有完成统一登录。可以再试一次，也可以用账号和密码登录。",
      expired: "这次登录等得太久或已经用过，请重新点一次登录按钮。",
      invalid: "没能确认您的身份，请重新登录。如果一直这样，请联系管理员。",
      unknown: "没有找到与您身份对应的学员账号，请联系本单位管理员。",
      ambiguous: "有不止一个学员账号与您的身份对应，请联系本单位管理员。",
      taken: "这个学员账号已经关联了另一个身份，请联系本单位管理员。",
      disabled: "您的账号已停用，请联系本单位管理员。",
      admin: "管理员账号请用账号和密码登录。",
      throttled: "尝试次数过多，请过一会儿再试。",
    },
  },
  identities: {
    title: "统一登录",
    hint: "关联后，可以不用密码，直接从那边登录。",
    since: "关联于 {at}",
    last: "最近登录 {at}",
    unlink: "解除关联",
    question: "解除与{label}的关联？以后从那边登录时会按单位登记的信息重新关联。",
    unlinked: "已解除关联",
  },
};
