/** English words whose forms no suffix rule finds: `base:form,form`. */
export const IRREGULAR_FORMS = `become:became begin:began,begun bend:bent bind:bound bite:bit,bitten bleed:bled blow:blew,blown
  break:broke,broken breed:bred bring:brought build:built buy:bought catch:caught child:children choose:chose,chosen come:came
  creep:crept dad:father,daddy deal:dealt dig:dug draw:drew,drawn dream:dreamt drink:drank,drunk drive:drove,driven eat:ate,eaten
  fall:fell,fallen feed:fed feel:felt fight:fought find:found flee:fled fly:flew,flown foot:feet forget:forgot,forgotten
  forgive:forgave,forgiven freeze:froze,frozen get:got,gotten give:gave,given go:went,gone goose:geese grind:ground grow:grew,grown
  half:halves hang:hung hear:heard hide:hid,hidden hold:held keep:kept kneel:knelt knife:knives know:knew,known lead:led leaf:leaves
  learn:learnt lend:lent life:lives light:lit loaf:loaves lose:lost make:made man:men mean:meant meet:met mom:mother,mum,mommy
  mouse:mice pay:paid person:people ride:rode,ridden ring:rang,rung rise:rose,risen run:ran say:said see:saw,seen seek:sought
  sell:sold send:sent shake:shook,shaken shelf:shelves shine:shone shoot:shot show:shown shrink:shrank,shrunk sing:sang,sung
  sink:sank,sunk sit:sat sleep:slept slide:slid speak:spoke,spoken spend:spent spin:spun spring:sprang,sprung stand:stood
  steal:stole,stolen stick:stuck strike:struck swear:swore,sworn sweep:swept swim:swam,swum swing:swung take:took,taken
  teach:taught tear:tore,torn tell:told thief:thieves think:thought throw:threw,thrown tooth:teeth understand:understood
  wake:woke,woken wear:wore,worn weave:wove,woven weep:wept wife:wives win:won wolf:wolves woman:women write:wrote,written`;
